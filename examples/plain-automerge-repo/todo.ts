/** A shared list of things to do on a plain automerge-repo `Repo`. Nothing in here knows where it is stored or whom it talks to. */
import { createInterface } from 'node:readline'
import type { AutomergeUrl, DocHandle, Repo } from '@automerge/automerge-repo'

interface TodoList {
  items: { text: string; done: boolean }[]
}

/** Commands, one a line on stdin: `new`, `open URL`, `add TEXT`, `done NUMBER`. Prints the list whenever it changes, here or elsewhere. */
export async function runTodo(repo: Repo): Promise<void> {
  let list: DocHandle<TodoList> | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    const [command = '', ...words] = line.trim().split(' ')
    const argument = words.join(' ')
    if (command === 'new') list = follow(repo.create<TodoList>({ items: [] }))
    else if (command === 'open') list = follow(await repo.find<TodoList>(argument as AutomergeUrl))
    else if (command === 'add') list?.change(({ items }) => void items.push({ text: argument, done: false }))
    else if (command === 'done') list?.change(({ items }) => finish(items[Number(argument) - 1]))
    else console.log('commands: new, open URL, add TEXT, done NUMBER')
  }
  await repo.shutdown()
  process.exit(0)
}

function follow(handle: DocHandle<TodoList>): DocHandle<TodoList> {
  const show = (): void =>
    console.log(
      handle
        .doc()
        .items.map(({ text, done }) => `${done ? '[x]' : '[ ]'} ${text}`)
        .join('  ') || 'nothing to do',
    )
  console.log(handle.url)
  handle.on('change', show)
  show()
  return handle
}

function finish(item: TodoList['items'][number] | undefined): void {
  if (item !== undefined) item.done = true
}
