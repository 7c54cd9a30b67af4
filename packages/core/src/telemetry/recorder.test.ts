import { expect, test } from 'vitest'
import type { TraceId } from '../lib/ids.ts'
import type { TelemetryEvent } from './events.ts'
import { createRecorder } from './recorder.ts'

const opened = (time: number, trace?: TraceId): TelemetryEvent => ({ type: 'pairing-opened', time, ...(trace && { trace }) })

test('[H32] the log keeps the newest events and says how many it dropped', () => {
  const recorder = createRecorder({ capacity: 3 })
  for (let time = 1; time <= 5; time++) recorder.record(opened(time))
  expect(recorder.events.peek().map(event => event.time)).toEqual([3, 4, 5])
  expect(recorder.dropped()).toBe(2)
})

test('[H32] what is neither a number, an id nor a fixed word is redacted', () => {
  const recorder = createRecorder()
  recorder.record({
    type: 'device-linked',
    time: 1,
    device: 'Maria’s laptop',
    path: '/home/maria/secret plan.txt',
  } as unknown as TelemetryEvent)
  expect(recorder.events.peek()).toEqual([{ type: 'device-linked', time: 1, device: 'redacted', path: 'redacted' }])
})

test('[H32] one trace is read from beginning to end', () => {
  const trace = 'ab'.repeat(16) as TraceId
  const recorder = createRecorder()
  recorder.record(opened(1, trace))
  recorder.record(opened(2))
  recorder.record(opened(3, trace))
  expect(recorder.trace(trace).map(event => event.time)).toEqual([1, 3])
})

test('[H32] a sink that throws is reported and the others hear the event', () => {
  const errors: unknown[] = []
  const heard: number[] = []
  const recorder = createRecorder({ onSinkError: error => errors.push(error) })
  recorder.addSink({
    record() {
      throw new Error('full')
    },
  })
  recorder.addSink({ record: event => heard.push(event.time) })
  recorder.record(opened(7))
  expect(heard).toEqual([7])
  expect(errors).toHaveLength(1)
})
