import { expect, test } from 'vitest'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createManualClock } from '../testing/manual-clock.ts'
import { createMaterialiser } from './materialiser.ts'

const chunk = {} as SealedChunk

function slow(costMs: number) {
  const clock = createManualClock()
  const batches: number[] = []
  const materialiser = createMaterialiser({
    clock,
    apply(chunks) {
      batches.push(chunks.length)
      clock.advance(costMs)
    },
  })
  return { clock, batches, materialiser }
}

test('[D12] while applying is quick, a batch is what came in one turn', async () => {
  const { batches, materialiser } = slow(1)
  materialiser.push([chunk, chunk])
  materialiser.push([chunk])
  await Promise.resolve()
  materialiser.push([chunk])
  await Promise.resolve()
  expect(batches).toEqual([3, 1])
})

test('[D12] when applying takes 40 ms, the next batch is gathered for 40 ms', async () => {
  const { clock, batches, materialiser } = slow(40)
  materialiser.push([chunk])
  await Promise.resolve()
  for (let i = 0; i < 4; i++) {
    materialiser.push([chunk])
    await Promise.resolve()
    clock.advance(9)
  }
  expect(batches).toEqual([1])
  clock.advance(4)
  expect(batches).toEqual([1, 4])
})

test('[D12] nothing is kept back longer than 120 ms', async () => {
  const { clock, batches, materialiser } = slow(5_000)
  materialiser.push([chunk])
  await Promise.resolve()
  materialiser.push([chunk])
  clock.advance(119)
  expect(batches).toEqual([1])
  clock.advance(1)
  expect(batches).toEqual([1, 1])
})

test('[D12] after a rest the next chunk is applied at once, however slow the last was', async () => {
  const { clock, batches, materialiser } = slow(40)
  materialiser.push([chunk])
  await Promise.resolve()
  clock.advance(1_000)
  materialiser.push([chunk])
  await Promise.resolve()
  expect(batches).toEqual([1, 1])
})
