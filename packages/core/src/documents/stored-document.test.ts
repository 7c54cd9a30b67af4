import * as A from '@automerge/automerge'
import { expect, test } from 'vitest'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { DocumentsContext } from './context.ts'
import { withStored } from './stored-document.ts'

const context = { random: createSeededRandom(29), logger: { warn: () => undefined } } as unknown as DocumentsContext
const nothing = { saved: undefined, base: undefined, contents: [], arrival: 0 }

test('[D29] what waits for what it depends on stays when the document is read again, and shows when that comes', () => {
  const first = A.from({ text: 'a' })
  const second = A.change(first, doc => void (doc.text = 'ab'))
  const [begun, added] = A.getAllChanges(second) as [Uint8Array, Uint8Array]
  const waiting = A.applyChanges(A.init<unknown>(), [added])[0]
  expect(A.getHeads(waiting)).toEqual([])
  const again = withStored(context, waiting, nothing)
  expect(A.getHeads(A.applyChanges(again, [begun])[0])).toEqual(A.getHeads(second))
})

test('[D3] a document without any content is continued under a fresh actor', () => {
  const empty = A.init<unknown>({ actor: 'ab' })
  expect(A.getActorId(withStored(context, empty, nothing))).not.toBe('ab')
})
