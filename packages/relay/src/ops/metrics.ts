/** The figures of one relay for Prometheus. No label names a peer, an account or a mailbox. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { MailboxEvents } from '../mailboxes/mailboxes.ts'

export interface Metrics {
  readonly events: MailboxEvents
  onAnswered(request: string, outcome: string): void
  onSlowed(ms: number): void
  onCircuits(difference: 1 | -1): void
  /** In Prometheus's text format. */
  text(): Promise<string>
  readonly contentType: string
}

/** What is looked up when somebody asks. */
export interface Levels {
  openMailboxes(): number
  accounts(): Promise<number>
  mailboxes(): number
  stored(): Promise<{ readonly bytes: number; readonly chunks: number }>
  isReady(): boolean
}

export function createMetrics(levels: Levels): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'segue_relay_' })
  const links = new Gauge({ name: 'segue_relay_links', help: 'Linked devices', registers })
  const circuits = new Gauge({ name: 'segue_relay_circuits', help: 'Links between devices that go through this relay', registers })
  const frames = new Counter({ name: 'segue_relay_frames_total', help: 'Frames received from linked devices', registers })
  const receivedBytes = new Counter({ name: 'segue_relay_received_bytes_total', help: 'Bytes received in those frames', registers })
  const rejected = new Counter({ name: 'segue_relay_rejected_chunks_total', help: 'Chunks not taken', labelNames: ['why'], registers })
  const writtenChunks = new Counter({ name: 'segue_relay_written_chunks_total', help: 'Chunks written, on disk', registers })
  const writtenBytes = new Counter({ name: 'segue_relay_written_bytes_total', help: 'Sealed bytes written, on disk', registers })
  const failures = new Counter({ name: 'segue_relay_write_failures_total', help: 'Writes that the disk or a quota refused', registers })
  const requests = new Counter({
    name: 'segue_relay_requests_total',
    help: 'Requests about accounts and mailboxes',
    labelNames: ['request', 'outcome'],
    registers,
  })
  const slowed = new Counter({ name: 'segue_relay_slowed_seconds_total', help: 'Time that devices over their rate had to wait', registers })
  const writeSeconds = new Histogram({
    name: 'segue_relay_write_seconds',
    help: 'From a batch to its fsync',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  })
  const level = (name: string, help: string, read: () => number | Promise<number>): void => {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: async () => gauge.set(await read()) })
  }
  level('segue_relay_open_mailboxes', 'Mailboxes open at the moment', () => levels.openMailboxes())
  level('segue_relay_mailboxes', 'Mailboxes', () => levels.mailboxes())
  level('segue_relay_accounts', 'Accounts', () => levels.accounts())
  level('segue_relay_stored_bytes', 'Sealed bytes stored', async () => (await levels.stored()).bytes)
  level('segue_relay_stored_chunks', 'Chunks stored', async () => (await levels.stored()).chunks)
  level('segue_relay_ready', '1 when the store takes writes and the relay is not draining', () => Number(levels.isReady()))

  return {
    events: {
      onLinks: difference => links.inc(difference),
      onFrame(bytes) {
        frames.inc()
        receivedBytes.inc(bytes)
      },
      onRejected: why => rejected.inc({ why }),
      onWritten(chunks, bytes, ms) {
        writtenChunks.inc(chunks)
        writtenBytes.inc(bytes)
        writeSeconds.observe(ms / 1_000)
      },
      onWriteFailed: () => failures.inc(),
    },
    onAnswered: (request, outcome) => requests.inc({ request, outcome }),
    onCircuits: difference => circuits.inc(difference),
    onSlowed: ms => slowed.inc(ms / 1_000),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
