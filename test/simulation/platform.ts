/**
 * Automerge stamps changes with the time and draws its own random ids. While a simulated day runs both follow from its seed, so that a
 * seed is the same day every time.
 */
import type { SeededRandom } from '@segue/core/testing'

/** Days run one after the other, never two at a time. */
export async function onSeededPlatform<Value>(random: SeededRandom, now: () => number, run: () => Promise<Value>): Promise<Value> {
  const realNow = Date.now
  const realRandom = Math.random
  const realValues = crypto.getRandomValues
  Date.now = now
  Math.random = () => random.below(2 ** 31) / 2 ** 31
  crypto.getRandomValues = <Values extends ArrayBufferView | null>(values: Values): Values => {
    if (values !== null) new Uint8Array(values.buffer, values.byteOffset, values.byteLength).set(random.bytes(values.byteLength))
    return values
  }
  try {
    return await run()
  } finally {
    Date.now = realNow
    Math.random = realRandom
    crypto.getRandomValues = realValues
  }
}
