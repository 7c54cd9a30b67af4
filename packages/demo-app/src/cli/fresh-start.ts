/**
 * A device that was removed joins again as somebody new: its key is dead, so it begins afresh. What it holds is not thrown away, its own
 * edits that nobody got least of all: the whole store moves, sealed as it is, into a folder of its own that opens as a device.
 */
import { cp, mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { SegueError } from '@segue/engine/client'
import type { DaemonClient } from '../client/daemon-client.ts'
import { readConfig, writeConfig } from '../config.ts'
import { keyFilePath, resolvePaths, type Paths } from '../paths.ts'
import { askLine } from './ask.ts'
import type { CliContext } from './context.ts'

interface Device {
  stop(client: DaemonClient): Promise<void>
  start(context: CliContext): Promise<void>
}

/** Resolves with the folder. Rejects with CANCELLED when the person says no, DEVICE_REMOVED when nobody is there to ask. */
export async function startAfresh(context: CliContext, client: DaemonClient, isAgreed: boolean, { stop, start }: Device): Promise<string> {
  const { output, paths } = context
  const folder = path.join(path.dirname(paths.data), `set-aside-${stamp(new Date())}`)
  if (!isAgreed) {
    output.note('This device was removed from its group. It can join again as a new device, with a fresh key.')
    output.note(`What it holds now is set aside, nothing is lost: ${folder}`)
    const answer = await askLine('Start afresh? [y/N]')
    if (answer === undefined) throw new SegueError('DEVICE_REMOVED')
    if (!/^y(es)?$/i.test(answer)) throw new SegueError('CANCELLED')
  }
  await stop(client)
  await setAside(paths, folder)
  await start(context)
  output.note(`What this device held is in ${folder}. To look into it: SEGUE_HOME=${folder} segue up, then segue session list and export.`)
  return folder
}

/** The store goes in one step, so whatever happens it is in one place or the other. */
async function setAside(paths: Paths, folder: string): Promise<void> {
  const there = resolvePaths({ SEGUE_HOME: folder })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { listen: _, ...config } = await readConfig(paths.config)
  await writeConfig(there.config, { ...config, mdns: false })
  await cp(keyFilePath(paths), keyFilePath(there), { mode: 0, force: false, errorOnExist: false }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error // its keys are kept otherwise
  })
  await rename(paths.data, there.data)
}

function stamp(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(':', '-')
}
