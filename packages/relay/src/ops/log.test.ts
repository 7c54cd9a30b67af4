import { deviceIdOf } from '@segue/core'
import { expect, test } from 'vitest'
import { withoutIds } from './log.ts'

test('[B19] a line without ids keeps numbers and words, and nothing that names anybody', () => {
  const id = deviceIdOf(new Uint8Array(32).fill(5))
  const hex = 'ab'.repeat(16)
  expect(withoutIds({ peer: id, mailbox: 'm', chunk: 'c', bytes: 7, ok: true, code: 'too-slow' })).toEqual({
    bytes: 7,
    ok: true,
    code: 'too-slow',
  })
  const texts = [`Error: ${id} is away`, `chunk ${hex}`, 'dial /ip4/10.0.0.7/tcp/4820/ws failed', 'connect ECONNREFUSED 192.168.1.20:4820']
  expect(texts.map(error => withoutIds({ error }).error)).toEqual([
    'Error: <id> is away',
    'chunk <id>',
    'dial <address> failed',
    'connect ECONNREFUSED <address>',
  ])
})
