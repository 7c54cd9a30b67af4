/** Devices for tests of the command: each a SEGUE_HOME of its own, listening on 127.0.0.1 only. All are down and gone afterwards. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runSegue, segueJson, type Shell } from './segue-process.ts'

export const ON_LOOPBACK: readonly string[] = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']

export interface TemporaryHomes {
  readonly root: string
  shell(name: string): Shell
  /** `segue up` on a new device. */
  start(name: string): Promise<Shell>
  /** Writes a file and gives its path. */
  file(name: string, content: string | Uint8Array): string
  remove(): Promise<void>
}

export function createTemporaryHomes(): TemporaryHomes {
  const root = mkdtempSync(path.join(tmpdir(), 'segue-e2e-'))
  const shells = new Map<string, Shell>()
  const shell = (name: string): Shell => {
    const present = shells.get(name) ?? { home: path.join(root, name) }
    shells.set(name, present)
    return present
  }
  return {
    root,
    shell,
    async start(name) {
      await segueJson(shell(name), 'up', '--name', name, '--keys', 'key-file', ...ON_LOOPBACK)
      return shell(name)
    },
    file(name, content) {
      const file = path.join(root, name)
      writeFileSync(file, content)
      return file
    },
    async remove() {
      await Promise.all([...shells.values()].map(device => runSegue(device, 'down')))
      rmSync(root, { recursive: true, force: true })
    },
  }
}
