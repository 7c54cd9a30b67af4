import { afterEach, expect, test } from 'vitest'
import { createSubject } from '@segue/core'
import type { DeviceId } from '@segue/core'
import { createDevice, createPair, knowing, linkTo, startNode, stopAll } from '../test-support/cast.ts'
import { dialRaw, startRawPeer, stopRawPeers } from '../test-support/raw-peer.ts'

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
})

test('[N52] a stranger is told of, whether it is let in for a proof or not; a member is not', async () => {
  const [a, b] = await createPair()
  const strangers = createSubject<readonly DeviceId[]>([])
  const desk = await startNode(a, [b], { onStranger: peer => strangers.set([...strangers.peek(), peer]) })
  const member = await startNode(b, [a], { members: knowing(desk) })
  await linkTo(desk, b)
  const scanner = await createDevice()
  const raw = await startRawPeer(scanner)
  await dialRaw(raw, desk).catch(() => undefined) // cut off after Noise
  await strangers.when(list => list.length === 1)

  const stop = desk.node.group.open(() => undefined)
  const connection = await dialRaw(raw, desk)
  await connection.close()
  await strangers.when(list => list.length === 2)
  stop()
  await member.node.close()
  await desk.closes.when(codes => codes.length === 1)
  expect(strangers.peek()).toEqual([scanner.id, scanner.id])
})
