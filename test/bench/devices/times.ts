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

/** Runs `edit` as fast as it goes; others get a turn now and then. */
export async function hurried(count: number, edit: (number: number) => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    edit(i)
    if (i % 100 === 99) await new Promise(resolve => setImmediate(resolve))
  }
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

/** The `number`th letter of somebody who types and now and then goes elsewhere in the text: where, and which. The same for everybody. */
export function letterTyped(number: number, length: number): { readonly at: number; readonly letter: string } {
  const within = number % SENTENCE
  const start = scattered(number - within) % (length - within)
  return { at: start + within, letter: LETTERS[scattered(number) % LETTERS.length] as string }
}

const SENTENCE = 60
/** As often as in English, roughly; which comes next cannot be foreseen, so that packing helps no more than it does with prose. */
const LETTERS = '       eeeeeeettttaaaooooiinnnsssrrhhhddlluucmfwygpbvk'

function scattered(number: number): number {
  let bits = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** What each of many small documents holds. */
export function smallDocument(number: number): { title: string; text: string } {
  return { title: `Note ${number}`, text: TEXT.slice(0, 200) }
}
