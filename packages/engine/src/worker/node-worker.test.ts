import * as A from '@automerge/automerge'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test, vi } from 'vitest'
import { createNodeWorker } from './index.ts'

const NONE = { keys: [], tails: [] }
const LIMITS = { maxInflatedBytes: 64 * 2 ** 20 }
const worker = createNodeWorker()
afterAll(() => worker.close())

function typed(letters: number): A.Doc<{ text: string }> {
  let doc = A.change(A.init<{ text: string }>({ actor: 'ab'.repeat(16) }), { time: 0 }, draft => {
    draft.text = ''
  })
  for (let i = 0; i < letters; i++) doc = A.change(doc, { time: 0 }, draft => A.splice(draft, ['text'], i, 0, 'a'))
  return doc
}

test('a thread builds the fragments of a document and reads them back', async () => {
  const doc = typed(2_000)
  const built = await worker.buildFragments(A.save(doc), NONE)
  expect(built.length).toBeGreaterThan(0)
  for (const { bundle, ...contents } of built) expect(await worker.readBundle(bundle, LIMITS)).toMatchObject(contents)
})

test('a job that fails rejects, and the next one is done', async () => {
  await expect(worker.readBundle(new Uint8Array([1, 2, 3]), LIMITS)).rejects.toThrow(RangeError)
  expect(await worker.buildFragments(A.save(typed(3)), NONE)).toEqual([])
})

test('of what is asked for in one breath each gets its own answer', async () => {
  const [first] = await worker.buildFragments(A.save(typed(2_000)), NONE)
  if (first === undefined) throw new Error('2,000 changes have a fragment')
  const { bundle, ...contents } = first
  const asked = [bundle, new Uint8Array([1, 2, 3]), bundle].map(bytes => worker.readBundle(bytes, LIMITS))
  const [one, none, other] = await Promise.allSettled(asked)
  expect(one).toMatchObject({ value: contents })
  expect(none).toMatchObject({ status: 'rejected' })
  expect(other).toEqual(one)
})

test('what is asked for while the thread is busy goes over before it has answered', async () => {
  const posted = vi.spyOn(Worker.prototype, 'postMessage')
  try {
    const first = worker.buildFragments(A.save(typed(2_000)), NONE)
    await nextTurn()
    const second = worker.buildFragments(A.save(typed(3)), NONE)
    await nextTurn()
    expect(posted).toHaveBeenCalledTimes(2)
    expect((await Promise.all([first, second])).map(built => built.length > 0)).toEqual([true, false])
  } finally {
    posted.mockRestore()
  }
})

test('a thread that is gone takes nothing with it that was asked of it', async () => {
  const posted = vi.spyOn(Worker.prototype, 'postMessage')
  const ended: number[] = []
  await using fragile = { worker: createNodeWorker({ onEnded: () => ended.push(1) }), [Symbol.asyncDispose]: () => fragile.worker.close() }
  try {
    const asked = [typed(2_000), typed(3)].map(doc => fragile.worker.buildFragments(A.save(doc), NONE))
    await nextTurn()
    asked.push(fragile.worker.buildFragments(A.save(typed(4)), NONE))
    await nextTurn()
    await (posted.mock.contexts[0] as Worker).terminate()
    asked.push(fragile.worker.buildFragments(A.save(typed(5)), NONE))
    expect((await Promise.all(asked)).map(built => built.length > 0)).toEqual([true, false, false, false])
    expect(ended).toEqual([1])
  } finally {
    posted.mockRestore()
  }
})

test('a thread that had nothing to do ends, and the next job starts another', async () => {
  const ended: number[] = []
  await using resting = {
    worker: createNodeWorker({ idleMs: 0, onEnded: () => ended.push(1) }),
    [Symbol.asyncDispose]: () => resting.worker.close(),
  }
  resting.worker.warmUp?.()
  await expect.poll(() => ended.length).toBe(1)
  expect(await resting.worker.buildFragments(A.save(typed(3)), NONE)).toEqual([])
  await expect.poll(() => ended.length).toBe(2)
})

test('a job over its deadline is given up and its thread replaced', async () => {
  await using impatient = { worker: createNodeWorker({ jobDeadlineMs: 0 }), [Symbol.asyncDispose]: () => impatient.worker.close() }
  await expect(impatient.worker.buildFragments(A.save(typed(3)), NONE)).rejects.toMatchObject({ code: 'TIMED_OUT' })
})

test('after closing, jobs are refused', async () => {
  const closed = createNodeWorker()
  await closed.close()
  await expect(closed.readBundle(new Uint8Array(), LIMITS)).rejects.toMatchObject({ code: 'CLOSED' })
})
