/** The programs of this package: each a file of `bundle/`, which lies beside this module's folder, bundled itself or not. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

export type Program = 'segue' | 'supervisor' | 'daemon'

export function programFile(program: Program): string {
  return fileURLToPath(new URL(`../bundle/${program}.js`, import.meta.url))
}

/** Of this package. */
export const version: string = (createRequire(import.meta.url)('../package.json') as { readonly version: string }).version
