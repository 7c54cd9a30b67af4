/** The document worker's thread, a file of `bundle/` beside this module's folder: this package's, or that of the program this is part of. */
export const threadFile: URL = new URL('../bundle/thread.js', import.meta.url)
