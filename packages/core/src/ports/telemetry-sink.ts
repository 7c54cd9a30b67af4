/** Takes content-free events (telemetry/events.ts has the closed union); keeps them in a bounded local log. Never sends them anywhere. */
export interface TelemetrySink<Event> {
  record(event: Event): void
}
