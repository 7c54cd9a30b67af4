import type { ChangeMetadata } from '@automerge/automerge'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { forksOf } from './graph.ts'

test('[C6] forks are the greatest concurrent pairs, in any order of arrival', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ actor: fc.nat(3), sees: fc.nat(15), seesMore: fc.nat(15) }), { maxLength: 12 }), steps => {
      const changes = graphOf(steps)
      const ancestors = ancestorsOf(changes)
      const pairs = changes.flatMap((x, i) => changes.slice(i + 1).map(y => [x.hash, y.hash] as const))
      const concurrent = pairs.filter(([x, y]) => !ancestors(x).has(y) && !ancestors(y).has(x))
      const alone = (x: string, y: string): string[] => [...ancestors(x)].filter(hash => !ancestors(y).has(hash))
      const isStage = ([x, y]: readonly [string, string], u: string, w: string): boolean =>
        alone(x, y).every(hash => alone(u, w).includes(hash)) && alone(y, x).every(hash => alone(w, u).includes(hash))
      const isWithin = (a: readonly [string, string], b: readonly [string, string]): boolean =>
        isStage(a, b[0], b[1]) || isStage(a, b[1], b[0])
      const greatest = concurrent.filter(pair => !concurrent.some(other => other !== pair && isWithin(pair, other)))
      const expected = greatest.map(pair => [...pair].sort().join()).sort()
      const forks = forksOf(changes)
      expect(forks.map(fork => fork.sides.join()).sort()).toEqual(expected)
      expect(
        forksOf(otherOrder(changes))
          .map(fork => JSON.stringify([fork.sides, fork.roots]))
          .sort(),
      ).toEqual(forks.map(fork => JSON.stringify([fork.sides, fork.roots])).sort())
      for (const { sides, base } of forks) {
        const shared = [...ancestors(sides[0])].filter(hash => ancestors(sides[1]).has(hash))
        expect(new Set(base.flatMap(hash => [...ancestors(hash)]))).toEqual(new Set(shared))
      }
    }),
    { numRuns: 500 },
  )
})

interface Step {
  readonly actor: number
  readonly sees: number
  readonly seesMore: number
}

/** Each step is a change of one actor that knows its own last one and two earlier changes. */
function graphOf(steps: readonly Step[]): ChangeMetadata[] {
  const changes: ChangeMetadata[] = []
  for (const [i, { actor, sees, seesMore }] of steps.entries()) {
    const own = changes.filter(change => change.actor === `${actor}`).at(-1)
    const seen = [sees, seesMore].filter(at => at < i).map(at => changes[at]?.hash as string)
    const deps = [...new Set([...(own ? [own.hash] : []), ...seen])]
    const hash = `${String((i * 7 + 3) % 97).padStart(2, '0')}-${i}`
    changes.push({ hash, actor: `${actor}`, deps, seq: 1, startOp: 1, maxOp: 1, time: 0, message: null } as unknown as ChangeMetadata)
  }
  return changes
}

function ancestorsOf(changes: readonly ChangeMetadata[]): (hash: string) => ReadonlySet<string> {
  const sets = new Map<string, Set<string>>()
  for (const change of changes) sets.set(change.hash, new Set([change.hash, ...change.deps.flatMap(dep => [...(sets.get(dep) ?? [])])]))
  return hash => sets.get(hash) ?? new Set()
}

/** Another order in which parents come before children. */
function otherOrder(changes: readonly ChangeMetadata[]): ChangeMetadata[] {
  const left = changes.toReversed()
  const ordered: ChangeMetadata[] = []
  while (left.length > 0) {
    const at = left.findIndex(change => change.deps.every(dep => ordered.some(other => other.hash === dep)))
    ordered.push(...left.splice(at, 1))
  }
  return ordered
}
