import * as A from '@automerge/automerge'
import { expect, test } from 'vitest'
import type { ChunkId } from '../lib/ids.ts'
import { applyContents, type OpenedContent } from './apply-contents.ts'

interface Note {
  [key: string]: number
}

function commits(changes: readonly Uint8Array[], prefix: string): readonly OpenedContent[] {
  return changes.map((bytes, i) => ({ id: `${prefix}${i}` as ChunkId, class: 'commit' as const, bytes }))
}

/** Two changes with the same actor and number: the second cannot be applied anywhere that has the first. */
function duplicated(): readonly [Uint8Array, Uint8Array] {
  const one = A.change(A.init<Note>({ actor: 'dd'.repeat(16) }), draft => void (draft['one'] = 1))
  const other = A.change(A.init<Note>({ actor: 'dd'.repeat(16) }), draft => void (draft['other'] = 1))
  return [A.getLastLocalChange(one) as Uint8Array, A.getLastLocalChange(other) as Uint8Array]
}

test('[D13] a chunk that cannot be applied is set aside alone', () => {
  const [first, duplicate] = duplicated()
  let source = A.from<Note>({ a: 1 })
  for (let i = 0; i < 20; i++) source = A.change(source, draft => void (draft[`k${i}`] = i))
  const good = commits(A.getAllChanges(source), 'good')
  const asides: string[] = []
  const contents = [...good.slice(0, 7), ...commits([first, duplicate], 'same'), ...good.slice(7)]
  const doc = applyContents(A.init<Note>(), contents, content => asides.push(content.id))
  expect(asides).toEqual(['same1'])
  expect(doc).toEqual({ ...source, one: 1 })
  expect(A.change(doc, draft => void (draft['after'] = 1))).toMatchObject({ after: 1, k19: 19 })
})

test('[D13] bytes that are no change are set aside too', () => {
  const source = A.from<Note>({ a: 1 })
  const broken = A.save(source)
  const asides: string[] = []
  const doc = applyContents(A.init<Note>(), [...commits([broken], 'bad'), ...commits(A.getAllChanges(source), 'good')], content =>
    asides.push(content.id),
  )
  expect(asides).toEqual(['bad0'])
  expect(doc).toEqual({ a: 1 })
})
