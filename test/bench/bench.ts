/** What a bench is, and what it is given. */

export interface Bench {
  /** 'P1' and so on, as in docs/performance.md. */
  readonly id: string
  readonly what: string
  run(context: BenchContext): Promise<readonly Result[]>
}

export interface BenchContext {
  /** The slow peers too. */
  readonly full: boolean
  /** Only to show that everything still runs: small sizes, one round. */
  readonly smoke: boolean
  /** Rounds after the warm-up. */
  readonly rounds: number
  /** An empty folder of its own; removed with everything in it. */
  scratch(name: string): Promise<string>
  /** A line for whoever waits. Not on stdout. */
  say(line: string): void
}

export interface Result {
  /** The bench's id and what is special about this line, as 'P2/1000'. */
  readonly id: string
  readonly what: string
  readonly unit: 'ms' | 'B' | 'KB' | 'MB' | 'x' | '/s'
  readonly value: number
  readonly p50?: number
  readonly p99?: number
  readonly peer?: string
  readonly peerValue?: number
  /** How many times the peer's figure is of ours. */
  readonly ratio?: number
  readonly target?: string
  /** Whether `target` was met; absent where there is none. */
  readonly holds?: boolean
}
