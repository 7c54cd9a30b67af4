/** What a keystroke costs on a real socket, in system calls. */
import { Socket } from 'node:net'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { createPair, knowing, linkTo, startNode, stopAll, type Recorded } from '../../test-support/cast.ts'

afterEach(stopAll)

/** Counts every write to a TCP socket of this process from now on. */
function countWrites(): { readonly count: () => number } {
  const { write } = Socket.prototype
  let writes = 0
  Socket.prototype.write = function counted(this: Socket, ...args: Parameters<Socket['write']>) {
    if (this.remoteAddress !== undefined) writes++
    return write.apply(this, args)
  } as Socket['write']
  onTestFinished(() => void (Socket.prototype.write = write))
  return { count: () => writes }
}

async function linked(): Promise<{ readonly desk: Recorded; readonly toDesk: Awaited<ReturnType<typeof linkTo>> }> {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  return { desk, toDesk: await linkTo(laptop, b) }
}

test('[N50] a small frame is written to the socket at once and whole, and nothing is written back', async () => {
  const { desk, toDesk } = await linked()
  await toDesk.send('sync-live', new Uint8Array(300)) // what opening the streams still had to say is said
  await desk.arrivals.when(list => list.length === 1)
  const writes = countWrites()
  for (let sent = 1; sent <= 100; sent++) {
    await toDesk.send('sync-live', new Uint8Array(300))
    await desk.arrivals.when(list => list.length === 1 + sent)
  }
  expect(writes.count()).toBe(100)
})

test('[N50] whoever sends much is told that there is room again', async () => {
  const { desk, toDesk } = await linked()
  const frames = 200 // 6 MiB: many times the window of a stream
  await Promise.all(Array.from({ length: frames }, () => toDesk.send('sync-live', new Uint8Array(32_000))))
  await desk.arrivals.when(list => list.length === frames)
})
