/**
 * A child process whose functions the bench calls: every device and every peer's client and server is one. Calls and answers go over
 * the child's own channel to its parent, never over what is measured.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { compiled } from './compile-devices.ts'

export type Remote<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never
}

export interface RemoteProcess<Methods> {
  readonly call: Remote<Methods>
  /** Ends the process, at once when it does not end by itself. */
  stop(): Promise<void>
}

/** In the child: answers calls until the parent is gone. */
export function serve(methods: object): void {
  const byName = methods as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>
  process.on('message', ({ id, name, args }: Call) => {
    void (async () => byName[name]?.(...args))().then(
      value => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}

/** `file` is a module beside the caller that calls `serve`. */
export function startRemote<Methods>(file: URL, nodeFlags: readonly string[] = []): RemoteProcess<Methods> {
  const main = compiled(file)
  const loading = main === file ? process.execArgv : []
  const execArgv = [...loading, ...nodeFlags, ...(process.env[NODE_ARGUMENTS]?.split(' ') ?? [])]
  const child = fork(main, [], { execArgv, serialization: 'advanced', stdio: ['ignore', 2, 2, 'ipc'] })
  const waiting = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>()
  let calls = 0
  child.on('message', ({ id, value, error }: Answer) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(new Error(`in ${file.pathname}: ${error}`))
  })
  const exited = once(child, 'exit').then(([code]) => {
    for (const call of waiting.values()) call.reject(new Error(`${file.pathname} ended with code ${String(code)}`))
    waiting.clear()
  })
  const call = new Proxy({} as Remote<Methods>, {
    get:
      (_, name) =>
      async (...args: readonly unknown[]) => {
        const id = ++calls
        const answered = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
        const tooLong = new Error(`${file.pathname}: no answer to ${String(name)} in ${CALL_DEADLINE_MS / 60_000} minutes`)
        const deadline = setTimeout(() => waiting.get(id)?.reject(tooLong), CALL_DEADLINE_MS)
        child.send({ id, name: String(name), args } satisfies Call)
        try {
          return await answered
        } finally {
          clearTimeout(deadline)
        }
      },
  })
  return {
    call,
    async stop() {
      const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
      if (child.connected) child.disconnect()
      await exited
      clearTimeout(deadline)
    },
  }
}

interface Call {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** For profiling, as `SEGUE_BENCH_NODE='--cpu-prof --cpu-prof-dir=/tmp/profiles'`: given to every device and peer. */
const NODE_ARGUMENTS = 'SEGUE_BENCH_NODE'
const STOP_DEADLINE_MS = 2_000
/** A bench that hangs says so instead of never ending. */
const CALL_DEADLINE_MS = 10 * 60_000
