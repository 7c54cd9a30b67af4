/**
 * Devices and peers run compiled, as an app's would: what loads TypeScript takes 45 MB and a thread in every process, and would be
 * measured with them.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Against the built packages. Throws with what the compiler says. */
export async function compileDevices(): Promise<void> {
  const compiler = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
  const project = fileURLToPath(new URL('./devices/tsconfig.json', import.meta.url))
  await promisify(execFile)(process.execPath, [compiler, '-p', project]).catch((error: unknown) => {
    throw new Error((error as { readonly stdout?: string }).stdout || 'the devices do not compile', { cause: error })
  })
  isCompiled = true
}

/** What to run for a module of this folder: its source, if the devices were not compiled by this process. */
export function compiled(file: URL): URL {
  return isCompiled ? new URL(file.href.replace('/bench/devices/', '/bench/dist/devices/').replace(/\.ts$/, '.js')) : file
}

let isCompiled = false
