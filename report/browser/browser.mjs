// A Chromium that asks the network for nothing, with a profile of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The package is installed wherever PLAYWRIGHT_DIR says, so that the source
// tree stays as it is.
const require = createRequire(join(process.env.PLAYWRIGHT_DIR ?? import.meta.dirname, "package.json"));
const { chromium } = require("playwright-core");

export async function launch(options) {
  const profile = mkdtempSync(join(tmpdir(), "mqttriage-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
    ...options,
  });
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
