/** How `npm run soak` judges the memory of its own process. */
import { expect, test } from 'vitest'
import { LEAST_MS, WARM_UP_MS, judgeMemory, type MemorySample } from '../soak/memory.ts'

const HOUR_MS = 3_600_000

/** One measurement a minute for two hours, as large as a day leaves behind now and then. */
function twoHours(held: (atMs: number) => Partial<MemorySample>): readonly MemorySample[] {
  return Array.from({ length: 120 }, (_, minute) => {
    const atMs = minute * 60_000
    const sample = { atMs, mb: 90, descriptors: 30, awake: 0, listeners: 2, ...held(atMs) }
    return { ...sample, mb: sample.mb + (minute % 3 === 0 ? 12 : 0) }
  })
}

test('[I11] what is taken once, at the start, and what a day leaves running are no growth; two megabytes an hour are', () => {
  const growing = (mbPerHour: number): string =>
    judgeMemory(
      twoHours(atMs => ({ mb: (atMs < WARM_UP_MS ? 50 : 90) + (mbPerHour * atMs) / HOUR_MS })),
      true,
    ).verdict
  expect([0, 1.8, 2.2, 30].map(growing)).toEqual(['holds', 'holds', 'grows', 'grows'])
})

test.each(['descriptors', 'awake', 'listeners'] as const)('[I11] one more of %s that stays is growth', kind => {
  expect(
    judgeMemory(
      twoHours(atMs => (atMs > HOUR_MS ? { [kind]: 31 } : {})),
      true,
    ).verdict,
  ).toBe('grows')
})

test('[I11] nothing is said of what was short, or not collected', () => {
  const all = twoHours(() => ({}))
  expect(judgeMemory(all, false).verdict).toBe('not-collected')
  expect(
    judgeMemory(
      all.filter(({ atMs }) => atMs < LEAST_MS),
      true,
    ).verdict,
  ).toBe('too-short')
  expect(judgeMemory([], true).verdict).toBe('too-short')
})
