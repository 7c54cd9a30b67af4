/** Simulated days on seeds nobody has seen, until the time is over. */
import { liveDay, type DayKind } from '../simulation/day.ts'
import { judgeMemory, measureMemory, type MemoryReport, type MemorySample } from './memory.ts'

export interface DaysOptions {
  readonly minutes: number
  readonly firstSeed: number
  readonly mostDays: number
  /** From 0 to 1: so many of them are days of trust. */
  readonly trust: number
  /** What happened in each day that broke a promise, line by line. */
  readonly withNotes: boolean
  readonly tell: (line: string) => void
}

export interface DaysReport {
  readonly firstSeed: number
  readonly days: number
  readonly kinds: Readonly<Record<DayKind, number>>
  readonly acknowledged: number
  /** Deletions for good that were promised. */
  readonly deleted: number
  /** Devices that came over from another group. */
  readonly cameOver: number
  readonly handoffs: Readonly<Record<string, number>>
  readonly broken: readonly { readonly seed: number; readonly kind: DayKind; readonly violations: readonly string[] }[]
  readonly minutes: number
  readonly memory: MemoryReport
}

/**
 * Without relays, with relays, with relays alone between devices that are never awake together, and with others who come over; in turns.
 * Beside them days of trust.
 */
const KINDS: readonly DayKind[] = ['apart', 'relays', 'shifts', 'adoption']
const TELL_EVERY_MS = 30_000
/** Collecting takes a tenth of a second. */
const MEASURE_EVERY_MS = 5_000

export async function liveDays({ minutes, firstSeed, mostDays, trust, withNotes, tell }: DaysOptions): Promise<DaysReport> {
  const startedAt = performance.now()
  const passed = (): number => performance.now() - startedAt
  const handoffs: Record<string, number> = {}
  const broken: { seed: number; kind: DayKind; violations: string[] }[] = []
  const samples: MemorySample[] = []
  const days: Record<DayKind, number> = { apart: 0, relays: 0, shifts: 0, trust: 0, adoption: 0 }
  let [acknowledged, deleted, cameOver] = [0, 0, 0]
  let toldAt = 0
  let seed = firstSeed
  for (; seed - firstSeed < mostDays && passed() < minutes * 60_000; seed++) {
    const kind = kindOf(seed, trust)
    days[kind]++
    const report = await liveDay(seed, { kind })
    acknowledged += report.acknowledged
    deleted += report.deleted
    cameOver += report.cameOver
    for (const [outcome, count] of report.outcomes) handoffs[outcome] = (handoffs[outcome] ?? 0) + count
    if (report.violations.length > 0) {
      const violations = report.violations.map(({ invariant, text }) => `[${invariant}] ${text}`)
      broken.push({ seed, kind, violations })
      for (const violation of violations.slice(0, 10)) tell(`seed ${seed} (${kind}) ${violation}`)
      if (withNotes) tell(report.notes.join('\n'))
    }
    if (passed() - (samples.at(-1)?.atMs ?? -MEASURE_EVERY_MS) >= MEASURE_EVERY_MS) samples.push(await measureMemory(passed()))
    if (passed() - toldAt < TELL_EVERY_MS) continue
    toldAt = passed()
    tell(`${seed - firstSeed + 1} days in ${(toldAt / 60_000).toFixed(1)} of ${minutes} minutes, ${broken.length} broke a promise`)
  }
  return {
    firstSeed,
    days: seed - firstSeed,
    kinds: days,
    acknowledged,
    deleted,
    cameOver,
    handoffs,
    broken,
    minutes: passed() / 60_000,
    memory: judgeMemory(samples, globalThis.gc !== undefined),
  }
}

/** Follows from the seed and the share, so that a seed is the same day again. */
function kindOf(seed: number, trust: number): DayKind {
  return (seed * STEP) % 1 < trust ? 'trust' : (KINDS[seed % KINDS.length] as DayKind)
}

/** Of the golden ratio: its multiples are spread evenly, however many there are. */
const STEP = 0.618_033_988_749_895
