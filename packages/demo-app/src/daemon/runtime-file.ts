/** Where clients find the daemon: its port and the token that lets whoever has it do anything with the device. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { DaemonAddress } from './api.ts'

/** Atomic, and only this user can read it. Whatever lies in the way, a link or a file of somebody else's, is never written to. */
export async function publishAddress(runtimeFile: string, address: DaemonAddress): Promise<void> {
  await mkdir(path.dirname(runtimeFile), { recursive: true, mode: 0o700 })
  const temporary = `${runtimeFile}.new`
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify(address))
  } finally {
    await file.close()
  }
  await rename(temporary, runtimeFile)
}
