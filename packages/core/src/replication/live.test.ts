import { expect, test } from 'vitest'
import type { ChunkId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { coverOf, type Fragment } from './live.ts'

const id = (name: string): ChunkId => name as ChunkId

test('[R9] a fragment wholly covered by greater ones is not live', () => {
  const small: Fragment = { id: id('a'), level: 1, covers: [id('1'), id('2')] }
  const other: Fragment = { id: id('b'), level: 1, covers: [id('2'), id('3')] }
  const great: Fragment = { id: id('c'), level: 2, covers: [id('1'), id('2')] }
  expect([...coverOf([small, other, great]).liveFragments].sort()).toEqual(['b', 'c'])
})

test('[R9] what is not live never comes back, whatever else arrives, so it may be removed', () => {
  const random = createSeededRandom(9)
  for (let run = 0; run < 500; run++) {
    const fragments = Array.from({ length: 1 + random.below(8) }, (_, i): Fragment => {
      const covers = Array.from({ length: 10 }, (_commit, commit) => id(`${commit}`)).filter(() => random.chance(0.4))
      return { id: id(`f${i}`), level: random.below(3), covers: covers.length === 0 ? [id('0')] : covers }
    })
    const whole = coverOf(fragments)
    let kept: Fragment[] = []
    for (const fragment of random.shuffle(fragments)) {
      const { liveFragments } = coverOf([...kept, fragment])
      kept = [...kept, fragment].filter(each => liveFragments.has(each.id))
    }
    expect(new Set(kept.map(each => each.id))).toEqual(whole.liveFragments)
    expect(coverOf(kept).covered).toEqual(whole.covered)
  }
})
