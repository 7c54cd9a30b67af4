/** Units, so that a constant reads `30 * SECOND_MS`. */
export const SECOND_MS = 1_000
export const MINUTE_MS: number = 60 * SECOND_MS
export const HOUR_MS: number = 60 * MINUTE_MS
export const DAY_MS: number = 24 * HOUR_MS
export const KIB = 1_024
export const MIB: number = 1_024 * KIB
