/** What libp2p says when it cannot listen names its own settings, and comes with a stack; a person is told which address, and why. */
import { SegueError } from '@segue/core/sealed'

/** LISTEN_FAILED for what starting libp2p rejected with; any other error as it is. */
export function listenFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'UnsupportedListenAddressesError') return error
  // A line for each address, after a sentence: "  /ip4/...: Error: listen EADDRINUSE: ..."
  const [, address = 'unknown', why = ''] = /^\s*(\/\S+): (.*)$/m.exec(error.message) ?? []
  const code = /\b(E[A-Z]{3,})\b/.exec(why)?.[1] ?? ''
  return new SegueError('LISTEN_FAILED', { address, reason: REASONS[code] ?? 'that is no address of a kind it knows' }, { cause: error })
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'the system does not let it use that port',
}
