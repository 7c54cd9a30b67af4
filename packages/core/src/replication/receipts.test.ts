import { expect, test } from 'vitest'
import type { ChunkId, DocTag, Incarnation } from '../lib/ids.ts'
import { createPeerReceipts, type Owed } from './receipts.ts'

const docTag = 'ab'.repeat(16) as DocTag
const chunk = (name: string, sequence = 0): Owed => ({ id: name as ChunkId, docTag, sequence })

test('[R22] another incarnation has confirmed nothing, the same one still has', () => {
  const desk = createPeerReceipts()
  desk.begin('first' as Incarnation)
  expect(desk.holds(docTag)).toBe(false)
  desk.settleAll()
  desk.begin('first' as Incarnation)
  expect(desk.holds(docTag)).toBe(true)
  desk.begin('second' as Incarnation)
  expect(desk.holds(docTag)).toBe(false)
})

test('[R23] a document is held when nothing of it is owed', () => {
  const desk = createPeerReceipts()
  desk.settleAll()
  desk.owe(chunk('a'))
  desk.owe(chunk('b'))
  desk.settle(chunk('a').id)
  expect(desk.holds(docTag)).toBe(false)
  desk.settle(chunk('b').id)
  expect(desk.holds(docTag)).toBe(true)
})

test('[R23] an older register is no receipt for a newer one', () => {
  const desk = createPeerReceipts()
  desk.settleAll()
  desk.owe(chunk('claim', 2))
  desk.settle(chunk('claim').id, 1)
  expect(desk.holds(docTag)).toBe(false)
  desk.settle(chunk('claim').id, 2)
  expect(desk.holds(docTag)).toBe(true)
})
