/** Milliseconds on the one monotonic clock that all processes of a machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** When each edit was made or seen; the edit's number is its place. */
export type EditTimes = readonly number[]

/** Runs `edit` `count` times, `everyMs` apart and a little uneven, as typing is. Gives when each was made. */
export async function typed(count: number, everyMs: number, edit: () => void): Promise<EditTimes> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    await new Promise(resolve => setTimeout(resolve, everyMs * (0.75 + 0.5 * Math.random())))
    times.push(monotonicMs())
    edit()
  }
  return times
}

/** When `edit` began. Answers only after what it caused has left, so that the answer is not in its way. */
export async function timed(edit: () => void): Promise<number> {
  const at = monotonicMs()
  edit()
  await new Promise(resolve => setTimeout(resolve, 2))
  return at
}

export interface Arrivals {
  /** The text is this long now. */
  seen(length: number): void
  /** Resolves with when each letter beyond the first `from` was seen, once there are `count`. */
  take(from: number, count: number): Promise<EditTimes>
}

/** Follows a text that only grows, letter by letter. */
export function createArrivals(): Arrivals {
  const at: number[] = []
  let check = (): void => undefined
  return {
    seen(length) {
      const now = monotonicMs()
      while (at.length <= length) at.push(now)
      check()
    },
    take: (from, count) =>
      new Promise(resolve => {
        check = () => {
          if (at.length > from + count) resolve(at.slice(from + 1, from + count + 1))
        }
        check()
      }),
  }
}

/** 1 KB to begin with. */
export const TEXT: string = 'Leave one device, carry on, exactly there, on another.\n'.repeat(19).slice(0, 1_000)

/** What each of many small documents holds. */
export function smallDocument(number: number): { title: string; text: string } {
  return { title: `Note ${number}`, text: TEXT.slice(0, 200) }
}
