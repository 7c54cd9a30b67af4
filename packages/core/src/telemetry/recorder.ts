/**
 * The bounded local log of what happened: the newest events in memory, and each passed on to sinks (a file, a view). Nothing is
 * sent anywhere. Events are content-free by their type; `redact` makes sure of it for whatever a caller's cast let through.
 */
import { createSubject, type Observable, type Subject } from '../lib/observable.ts'
import type { TraceId } from '../lib/ids.ts'
import type { TelemetrySink } from '../ports/telemetry-sink.ts'
import type { TelemetryEvent } from './events.ts'
import { redact } from './redact.ts'

export interface Recorder extends TelemetrySink<TelemetryEvent> {
  /** Oldest first; at most `capacity`. A new array after each event. */
  readonly events: Observable<readonly TelemetryEvent[]>
  /** How many fell out of the log. */
  dropped(): number
  /** One handoff from beginning to end, as far as the log goes back. */
  trace(id: TraceId): readonly TelemetryEvent[]
  /** Hears every event from now on. A sink that throws is reported and hurts nobody. */
  addSink(sink: TelemetrySink<TelemetryEvent>): () => void
}

export interface RecorderOptions {
  /** Default 2,000 events, well under a megabyte. */
  readonly capacity?: number
  readonly onSinkError?: (error: unknown) => void
}

export function createRecorder({ capacity = 2_000, onSinkError }: RecorderOptions = {}): Recorder {
  const events: Subject<readonly TelemetryEvent[]> = createSubject<readonly TelemetryEvent[]>([], onSinkError)
  const sinks = new Set<TelemetrySink<TelemetryEvent>>()
  let dropped = 0
  return {
    events,
    dropped: () => dropped,
    trace: id => events.peek().filter(event => event.trace === id),
    record(event) {
      const clean = redact(event)
      const kept = [...events.peek(), clean]
      const excess = Math.max(0, kept.length - capacity)
      dropped += excess
      events.set(kept.slice(excess))
      for (const sink of sinks) {
        try {
          sink.record(clean)
        } catch (error) {
          onSinkError?.(error)
        }
      }
    },
    addSink(sink) {
      sinks.add(sink)
      return () => void sinks.delete(sink)
    },
  }
}
