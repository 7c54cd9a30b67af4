import { expect, test } from 'vitest'
import { createChunksLayer } from './chunks-layer.ts'
import { runWorld } from './world.ts'

const SEEDS = Number(process.env['SEEDS'] ?? 300)
const ONE_SEED = process.env['SEED']

test(
  `[R28] ${SEEDS} worlds of crashes, cuts and partitions: healed devices agree and nothing acknowledged is missing`,
  { timeout: 300_000 },
  async () => {
    const failures: string[] = []
    const seeds = ONE_SEED === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(ONE_SEED)]
    for (const seed of seeds) {
      try {
        await runWorld({ seed, layers: random => [createChunksLayer(random)] })
      } catch (error) {
        failures.push(`seed ${seed} (repeat with SEED=${seed}): ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    expect(failures).toEqual([])
  },
)
