import type { Stream } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { MAX_UNREAD_BYTES } from '../limits.ts'
import { concatBytes } from '@segue/core'
import { encodeHeader, encodeSignal } from './frame-reader.ts'
import { createFramedStream } from './framed-stream.ts'

/** As much of a libp2p stream as reading needs; `give` is the network. */
function createSource(): { readonly stream: Stream; readonly give: (bytes: Uint8Array) => void; readonly isPaused: () => boolean } {
  const events = new EventTarget()
  const state = { status: 'open', remoteWriteStatus: 'writable', readStatus: 'readable', readBufferLength: 0 }
  const stream = Object.assign(events, state, {
    pause: () => (stream.readStatus = 'paused'),
    resume: () => (stream.readStatus = 'readable'),
  })
  return {
    stream: stream as unknown as Stream,
    give: data => void events.dispatchEvent(Object.assign(new Event('message'), { data })),
    isPaused: () => stream.readStatus === 'paused',
  }
}

const FLOODS: readonly (readonly [string, Uint8Array])[] = [
  ['signals', encodeSignal('probe')],
  ['empty frames', encodeHeader(0)],
]

test.each(FLOODS)('[N32] %s that wait count for what they take in memory, so a flood of them stops the reading', async (_what, one) => {
  const source = createSource()
  let take = (): void => undefined
  const handled: unknown[] = []
  createFramedStream({
    stream: source.stream,
    maxFrameBytes: 8,
    onFrame: frame => (frame.length === 1 ? new Promise(resolve => (take = resolve)) : void handled.push(frame)),
    onSignal: signal => void handled.push(signal),
    onFailure: () => undefined,
    onEnded: () => undefined,
  })
  source.give(concatBytes(encodeHeader(1), Uint8Array.of(1)))
  const many = Math.ceil(MAX_UNREAD_BYTES / 64)
  source.give(concatBytes(...Array.from({ length: many }, () => one)))
  expect(source.isPaused()).toBe(true)
  take()
  await Promise.resolve().then(() => undefined)
  expect(source.isPaused()).toBe(false)
  expect(handled.length).toBe(many)
})
