import { afterEach, expect, test } from 'vitest'
import { createPair, knowing, linkTo, startNode, stopAll } from '../test-support/cast.ts'
import { webrtcDirect } from './webrtc.ts'

afterEach(stopAll)

test('[N28] two devices link over webrtc-direct and exchange frames', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a], { transports: [webrtcDirect()], listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] })
  expect(desk.node.addresses.peek()[0]).toContain('/webrtc-direct/certhash/')
  const laptop = await startNode(a, [b], { transports: [webrtcDirect()], listen: [], members: knowing(desk) })
  const toDesk = await linkTo(laptop, b)
  const sizes = [1, 200, 300_000]
  for (const size of sizes) await toDesk.send('sync-bulk', new Uint8Array(size).fill(5))
  const arrivals = await desk.arrivals.when(list => list.length === sizes.length)
  expect(arrivals.map(({ frame }) => frame.length)).toEqual(sizes)
})
