// Tells what went wrong with the service, as none of it becomes an error of the application. A problem that
// lasts is told again after a while, not each time.

const AGAIN_MS = 10_000;
const MAX_REMEMBERED = 100;

// Tells { message, detail, cause, isClear } to tell(), isClear where something cached may be out of date.
export function reporter(tell = toConsole) {
  const told = new Map();
  return (message, { detail, cause, isClear = false } = {}) => {
    const now = performance.now();
    if (now - (told.get(message) ?? -Infinity) < AGAIN_MS) return;
    if (told.size >= MAX_REMEMBERED) told.clear();
    told.set(message, now);
    try {
      tell({ message, detail, cause, isClear });
    } catch {
      // Who listens may not fail either.
    }
  };
}

function toConsole({ message, detail, isClear }) {
  const line = `cachewarden: ${message}${detail ? ` (${detail})` : ""}`;
  if (isClear) console.error(line);
  else console.warn(line);
}
