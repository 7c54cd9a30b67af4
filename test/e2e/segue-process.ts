/** Runs the built `segue` command as a person's shell would, or keeps it running and talks to it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ENTRY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../packages/demo-app/bin/segue.js')

export interface Shell {
  /** SEGUE_HOME. */
  readonly home: string
  /** Put before the command, such as `ip netns exec NAME`. */
  readonly prefix?: readonly string[]
}

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  /** Everything said on stdout and stderr so far. */
  said(): string
  /** Resolves with the match once the output has it; rejects when the command ends without. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  type(line: string): void
  readonly finished: Promise<Finished>
  kill(): void
}

export function startSegue(shell: Shell, ...args: readonly string[]): Running {
  const [command, ...before] = [...(shell.prefix ?? []), process.execPath, ENTRY, ...args] as [string, ...string[]]
  const child: ChildProcess = spawn(command, before, { env: { ...process.env, SEGUE_HOME: shell.home, NO_COLOR: '1' }, stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const heard = (): void => {
    for (const listener of [...listeners]) listener()
  }
  child.stdout?.setEncoding('utf8').on('data', text => ((stdout += text), heard()))
  child.stderr?.setEncoding('utf8').on('data', text => ((stderr += text), heard()))
  const finished = once(child, 'close').then(([code]) => {
    heard()
    return { code: (code as number | null) ?? -1, stdout, stderr }
  })
  return {
    said: () => stdout + stderr,
    says: pattern =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(stdout + stderr)
          if (match === null) return
          listeners.delete(look)
          resolve(match)
        }
        listeners.add(look)
        look()
        void finished.then(() => reject(new Error(`segue ${args.join(' ')} ended without ${pattern}:\n${stdout}${stderr}`)))
      }),
    type: line => void child.stdin?.write(`${line}\n`),
    finished,
    kill: () => void child.kill('SIGKILL'),
  }
}

export function runSegue(shell: Shell, ...args: readonly string[]): Promise<Finished> {
  const running = startSegue(shell, ...args)
  return running.finished
}

/** Runs with --json; rejects when the command failed. */
export async function segueJson<Result>(shell: Shell, ...args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await runSegue(shell, '--json', ...args)
  if (code !== 0) throw new Error(`segue ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return JSON.parse(stdout) as Result
}
