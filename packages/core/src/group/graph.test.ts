import { expect, test } from 'vitest'
import type { EntryId } from '../lib/ids.ts'
import { createGraph, type Graph, type Linked } from './graph.ts'

interface Node extends Linked {
  readonly parents: readonly EntryId[]
}
const node = (id: string, ...parents: string[]): Node => ({ id: id as EntryId, parents: parents as EntryId[] })
const graphOf = (
  options: { maxEntries?: number; maxHeld?: number; refuses?: string; shareOf?: (entry: Node) => string | undefined } = {},
): Graph<Node> =>
  createGraph<Node>({
    maxEntries: options.maxEntries ?? 100,
    maxHeld: options.maxHeld ?? 100,
    admits: entry => entry.id !== options.refuses,
    onLinked: () => undefined,
    onEvicted: () => undefined,
    shareOf: options.shareOf ?? (() => undefined),
  })
const idsOf = (graph: Graph<Node>): string =>
  graph
    .ordered()
    .map(entry => entry.id)
    .join('')

test('[G4] an entry waits for its parents, and brings along what waited for it', () => {
  const graph = graphOf()
  expect(graph.add(node('d', 'b', 'c'))).toEqual([])
  expect(graph.add(node('b', 'a'))).toEqual([])
  expect(graph.add(node('c', 'a'))).toEqual([])
  expect(graph.isHeld('d' as EntryId)).toBe(true)
  expect(graph.add(node('a')).map(({ entry }) => entry.id)).toEqual(['a', 'b', 'c', 'd'])
  expect(graph.isHeld('d' as EntryId)).toBe(false)
})

test('[G4] no more than the limit is held', () => {
  const graph = graphOf({ maxHeld: 1 })
  graph.add(node('b', 'a'))
  graph.add(node('c', 'a'))
  expect([graph.isHeld('b' as EntryId), graph.isHeld('c' as EntryId)]).toEqual([true, false])
})

test('the order is by depth, the longest way from the root, then by id', () => {
  const graph = graphOf()
  for (const each of [node('z'), node('b', 'z'), node('a', 'b'), node('c', 'z'), node('d', 'a', 'c')]) graph.add(each)
  expect(idsOf(graph)).toBe('zbcad')
  expect(graph.positionOf('d' as EntryId).depth).toBe(3)
})

test('heads are what nothing hangs from', () => {
  const graph = graphOf()
  for (const each of [node('z'), node('b', 'z'), node('c', 'z')]) graph.add(each)
  expect(graph.heads()).toEqual(['b', 'c'])
  graph.add(node('a', 'b', 'c'))
  expect(graph.heads()).toEqual(['a'])
})

test('the past of an entry is what it descends from, itself included', () => {
  const graph = graphOf()
  for (const each of [node('z'), node('b', 'z'), node('c', 'z'), node('d', 'b')]) graph.add(each)
  expect([...graph.pastOf(['d' as EntryId])].sort()).toEqual(['b', 'd', 'z'])
  expect(graph.isBefore('b' as EntryId, 'd' as EntryId)).toBe(true)
  expect(graph.isBefore('c' as EntryId, 'd' as EntryId)).toBe(false)
  expect(graph.isBefore('d' as EntryId, 'd' as EntryId)).toBe(false)
})

test('[G7] what hangs from a refused entry is dropped with it, held or later', () => {
  const graph = graphOf({ refuses: 'b' })
  graph.add(node('z'))
  graph.add(node('c', 'b'))
  graph.add(node('d', 'c'))
  expect(graph.add(node('b', 'z')).map(({ outcome }) => outcome)).toEqual(['refused'])
  expect([graph.isHeld('c' as EntryId), graph.isHeld('d' as EntryId)]).toEqual([false, false])
  expect(idsOf(graph)).toBe('z')
})

test('[G8] over the limit the last in the order goes, whichever came last', () => {
  const nodes = [node('z'), node('b', 'z'), node('c', 'z'), node('a', 'b')]
  for (const order of permutations(nodes)) {
    const graph = graphOf({ maxEntries: 3 })
    for (const each of order) graph.add(each)
    expect(idsOf(graph)).toBe('zbc')
    expect(graph.heads()).toEqual(['b', 'c'])
  }
})

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}
