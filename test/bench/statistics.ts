/** Medians and percentiles, and the order in which rounds are run. */

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** Nearest rank. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/**
 * One warm-up of each contestant, then `rounds` times each in turn, so that a slow moment of the machine hits all of them. Gives what
 * each measured, by name, the warm-up left out.
 */
export async function alternate<Contestants extends Readonly<Record<string, () => Promise<unknown>>>>(
  contestants: Contestants,
  rounds: number,
): Promise<Measured<Contestants>> {
  const measured = new Map<string, unknown[]>(Object.keys(contestants).map(name => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const value = await run()
      if (round > 0) measured.get(name)?.push(value)
    }
  }
  return Object.fromEntries(measured) as unknown as Measured<Contestants>
}

export type Measured<Contestants extends Readonly<Record<string, () => Promise<unknown>>>> = {
  readonly [Name in keyof Contestants]: readonly Awaited<ReturnType<Contestants[Name]>>[]
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}
