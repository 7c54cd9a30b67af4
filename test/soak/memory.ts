/**
 * [I11] What the process holds on to from one day to the next: memory once garbage is collected (the heap, and what WebAssembly and buffers
 * take beside it), descriptors, and what would keep it awake (timers, handles) or be called (listeners on the process).
 *
 * Loading, compiling and the first of everything take memory once, so the first ten minutes are left out. Of the rest the first quarter is
 * compared with the last, by what a quarter of the measurements stay under: what the day before left running makes single ones larger.
 */
import { readdirSync } from 'node:fs'
import process from 'node:process'

export interface MemorySample {
  readonly atMs: number
  /** Of heap and outside it. */
  readonly mb: number
  /** Undefined where the system does not tell. */
  readonly descriptors: number | undefined
  readonly awake: number
  readonly listeners: number
}

export interface MemoryReport {
  readonly samples: number
  /** Over which it was measured, the first minutes left out. */
  readonly minutes: number
  readonly mb: { readonly first: number; readonly last: number }
  readonly mbPerHour: number
  readonly more: { readonly descriptors: number; readonly awake: number; readonly listeners: number }
  /** grows: I11 is broken. too-short: nothing is said. not-collected: without --expose-gc. */
  readonly verdict: 'holds' | 'grows' | 'too-short' | 'not-collected'
}

export const MOST_MB_PER_HOUR = 2
export const WARM_UP_MS: number = 10 * 60_000
/** Below that the measurements differ by more than what they are to show. */
export const LEAST_MS: number = 40 * 60_000

/** Collects garbage first, where Node was started with --expose-gc. */
export async function measureMemory(atMs: number): Promise<MemorySample> {
  await new Promise(done => void setImmediate(done)) // what the last turn still holds
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return {
    atMs,
    mb: (heapUsed + external) / 1_048_576,
    descriptors: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : undefined,
    awake: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
  }
}

export function judgeMemory(all: readonly MemorySample[], isCollected: boolean): MemoryReport {
  const begin = all[0]?.atMs ?? 0
  const samples = all.filter(({ atMs }) => atMs - begin >= WARM_UP_MS)
  const spanMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)]
  const low = (part: readonly MemorySample[], of: (sample: MemorySample) => number): number => {
    const sorted = part.map(of).toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 4)] ?? 0
  }
  const more = (of: (sample: MemorySample) => number): number => low(last, of) - low(first, of)
  const apartMs = mean(last) - mean(first)
  const mbPerHour = apartMs > 0 ? (more(({ mb }) => mb) * HOUR_MS) / apartMs : 0
  const held = {
    descriptors: more(({ descriptors }) => descriptors ?? 0),
    awake: more(({ awake }) => awake),
    listeners: more(({ listeners }) => listeners),
  }
  const grows = mbPerHour >= MOST_MB_PER_HOUR || Object.values(held).some(each => each > 0)
  return {
    samples: samples.length,
    minutes: spanMs / 60_000,
    mb: { first: low(first, ({ mb }) => mb), last: low(last, ({ mb }) => mb) },
    mbPerHour,
    more: held,
    verdict: !isCollected ? 'not-collected' : spanMs < LEAST_MS ? 'too-short' : grows ? 'grows' : 'holds',
  }
}

export function memoryText({ samples, minutes, mb, mbPerHour, more, verdict }: MemoryReport): string {
  if (samples === 0) return `memory: ${VERDICTS[verdict]}`
  const sign = (count: number): string => (count > 0 ? `+${count}` : String(count))
  const figures =
    `${mb.first.toFixed(1)} MB in the first quarter, ${mb.last.toFixed(1)} MB in the last of ${minutes.toFixed(0)} minutes after the first ten ` +
    `(${samples} times): ${mbPerHour.toFixed(2)} MB/h; descriptors ${sign(more.descriptors)}, timers and handles ${sign(more.awake)}, listeners ${sign(more.listeners)}`
  return `memory: ${figures}; ${VERDICTS[verdict]}`
}

const HOUR_MS = 3_600_000
const VERDICTS: Readonly<Record<MemoryReport['verdict'], string>> = {
  holds: `I11 holds (less than ${MOST_MB_PER_HOUR} MB/h, nothing else grows)`,
  grows: `I11 is BROKEN (less than ${MOST_MB_PER_HOUR} MB/h, and nothing else, may grow)`,
  'too-short': `too short to judge I11: that takes ${(WARM_UP_MS + LEAST_MS) / 60_000} minutes`,
  'not-collected': 'nothing is said of I11: Node ran without --expose-gc',
}

function mean(samples: readonly MemorySample[]): number {
  return samples.reduce((sum, { atMs }) => sum + atMs, 0) / Math.max(1, samples.length)
}
