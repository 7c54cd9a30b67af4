import { expect, test } from 'vitest'
import { portableHasher } from '../crypto/hash.ts'
import { createChunkCast } from '../testing/plain-chunks.ts'
import type { Inspector } from '../ports/inspector.ts'
import { createIntake, type IntakeParts } from './intake.ts'
import type { Session } from './session-host.ts'

test('[R65] a check that fails while others wait for their turn fails the whole, and nothing else', async () => {
  const cast = createChunkCast()
  const chunks = Array.from({ length: 100 }, (_, i) => cast.commit('report', `${i}`))
  let checks = 0
  const inspect: Inspector['inspect'] = async () => {
    if (checks++ === 0) throw new Error('the store is closed')
    return { kind: 'good', level: 0, covers: [] }
  }
  const intake = createIntake({
    inspector: { inspect, covers: async () => new Map() },
    turns: { next: () => new Promise(done => setImmediate(done)), hasTime: () => true, hurry: () => undefined, isHurried: () => false },
    hasher: portableHasher,
    arriving: new Map(),
    dropped: new Set(),
    onChecking: () => undefined,
  } as unknown as IntakeParts)
  const ended = await intake(chunks, { peer: 'desk' } as unknown as Session).then(
    () => 'taken',
    (error: unknown) => String(error),
  )
  expect(ended).toBe('Error: the store is closed')
})
