/**
 * Whole devices through bad days: the engine's own wiring (group, sealed log, Automerge documents, sessions, history, handoffs) on memory
 * stores and virtual time, and in some of them the relay's own code. Two days of five are plain ones, one in twenty has relays, on one in
 * ten devices of another group come over, on the rest devices are removed; on all of them things are deleted for good. SEEDS says how many
 * there are in all, SEED repeats one with everything that happened. Several files share them, so that they run side by side.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveDay, type DayKind, type DayReport } from './day.ts'
import type { InvariantId } from './oracle.ts'

const ONE_SEED = process.env['SEED']
const ALL = Number(process.env['SEEDS'] ?? 500)
const RELAYS = Math.ceil(ALL / 20)
const APART = Math.ceil(ALL * 0.42)
const ADOPTION = Math.ceil(ALL / 10)
const TRUST = ALL - RELAYS - APART - ADOPTION

/** The days of one half: even seeds or odd ones. */
export function describeDays(half: 'even' | 'odd'): void {
  const isOurs = (seed: number): boolean => (seed % 2 === 0) === (half === 'even')
  const seeds = seedsUpTo(APART).filter(isOurs)
  describeThem(`${seeds.length} days of three to five devices that crash, part, fail and hand sessions over`, seeds, () => 'apart')
}

/** Odd seeds: never two devices awake at a time. */
export function describeRelayDays(): void {
  const seeds = seedsUpTo(RELAYS)
  const kindOf = (seed: number): DayKind => (seed % 2 === 0 ? 'relays' : 'shifts')
  describeThem(`${seeds.length} days with relays that withhold, reorder, repeat, go back and crash`, seeds, kindOf)
}

/** A device or two of another group, with work of their own. */
export function describeAdoptionDays(): void {
  describeThem(`${ADOPTION} days on which others come over with all they have`, seedsUpTo(ADOPTION), () => 'adoption')
}

/** Even seeds or odd ones. */
export function describeTrustDays(half: 'even' | 'odd'): void {
  const seeds = seedsUpTo(TRUST).filter(seed => (seed % 2 === 0) === (half === 'even'))
  describeThem(`${seeds.length} days on which devices are removed, copied and set back, and go on`, seeds, () => 'trust')
}

function describeThem(title: string, seeds: readonly number[], kindOf: (seed: number) => DayKind): void {
  describe.skipIf(seeds.length === 0)(title, () => {
    const reports: DayReport[] = []
    const brokenBy = (...invariants: readonly InvariantId[]): readonly string[] =>
      reports.flatMap(({ seed, violations }) =>
        violations
          .filter(({ invariant }) => invariants.includes(invariant))
          .map(({ invariant, text }) => `seed ${seed} (repeat with SEED=${seed}) [${invariant}] ${text}`),
      )
    beforeAll(async () => {
      for (const seed of seeds) reports.push(await liveDay(seed, { kind: kindOf(seed) }))
    }, 600_000)
    afterAll(() => {
      if (ONE_SEED !== undefined) for (const { notes } of reports) process.stdout.write(`${notes.join('\n')}\n`)
    })

    test('[I1] healed devices hold the same within 40 virtual seconds', () => expect(brokenBy('I1')).toEqual([]))
    test('[I2] a device that comes up again has everything it acknowledged', () => expect(brokenBy('I2')).toEqual([]))
    test('[I3] nothing acknowledged is missing on any device', () => expect(brokenBy('I3')).toEqual([]))
    test('[I4] what people write shows nowhere on a relay', () => expect(brokenBy('I4')).toEqual([]))
    test('[I5] what a removed device writes later is applied only where somebody held it, and it reads nothing that is newer', () =>
      expect(brokenBy('I5')).toEqual([]))
    test('[I6] all give one answer about who belongs', () => expect(brokenBy('I6')).toEqual([]))
    test('[G48] whoever lacks a key is given it, and where no epoch is valid one is made', () => expect(brokenBy('duties')).toEqual([]))
    test('[I7] a quiet system is quiet, and an edit costs few messages', () => expect(brokenBy('I7')).toEqual([]))
    test('[I8] never two confirmed holders, one holder in the end, and nothing acknowledged is left behind', () =>
      expect(brokenBy('I8')).toEqual([]))
    test('[I9] documents read from disk, compacted or not, are what they were', () => expect(brokenBy('I9')).toEqual([]))
    test('[X1] [X3] [X4] what was deleted is gone everywhere and stays away, and what nobody saw is kept', () =>
      expect(brokenBy('deleted')).toEqual([]))
    test('[G57] the group leaves a mailbox whose key somebody knows who is out, and its relay takes whoever stays', () =>
      expect(brokenBy('mailbox')).toEqual([]))
    test('[J2] [J3] who joins with work of their own brings all of it, wherever the power goes', () =>
      expect(brokenBy('adopted')).toEqual([]))
    test('[I10] every promise settles by its deadline', () => expect(brokenBy('I10')).toEqual([]))
    test('[B12] what a relay said to hold is there after its crash', () => expect(brokenBy('relay disk')).toEqual([]))
    test('[T7] [T8] a relay that lost or withholds something is named, and [T10] no other', () =>
      expect(brokenBy('relay named')).toEqual([]))
    test('no link is closed for an error of ours', () => expect(brokenBy('quiet logs')).toEqual([]))
    test.skipIf(seeds.length < 20)('the days are not empty: work is acknowledged, handoffs end in every way', () => {
      const outcomes = new Set(reports.flatMap(report => [...report.outcomes.keys()]))
      expect(reports.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(5 * seeds.length)
      const isMany = seeds.length >= 100 && kindOf(0) === 'apart'
      const expected = !isMany ? ['done', 'failed'] : ['done', 'needs-review', 'cancelled', 'refused', 'failed']
      expect([...outcomes]).toEqual(expect.arrayContaining(expected))
    })
  })
}

function seedsUpTo(count: number): readonly number[] {
  return ONE_SEED === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(ONE_SEED)]
}
