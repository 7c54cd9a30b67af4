import { afterEach, expect, test } from 'vitest'
import { createPair, startNode, stopAll } from '../test-support/cast.ts'
import { listenFailure } from './listen-failure.ts'

afterEach(stopAll)

test('[N55] where another program listens, the address and that are said, and nothing of libp2p', async () => {
  const [a, b] = await createPair()
  const { node } = await startNode(a, [b])
  const taken = node.addresses.peek().find(address => /\/tcp\/\d+\/p2p\//.test(address)) ?? ''
  const address = taken.replace(/\/p2p\/.*$/, '')
  await expect(startNode(b, [a], { listen: [address] })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    message: `Segue cannot listen on ${address}: another program listens there. Choose another address or port with --listen.`,
  })
})

test('[N55] what has nothing to do with listening stays what it is', () => {
  const error = new Error('listen EADDRINUSE')
  expect(listenFailure(error)).toBe(error)
})
