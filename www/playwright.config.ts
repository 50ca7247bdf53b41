import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

// One Chromium, found where Debian puts it unless CHROME names another; nothing is downloaded, and it calls nobody.
// Where its headless shell is, the same engine without a window around the page, opening a page costs half as much.
const SHELL = process.env.HEADLESS_SHELL ?? '/usr/bin/chromium-headless-shell';
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  timeout: 60_000,
  expect: { timeout: 15_000 },
  workers: 1,
  forbidOnly: Boolean(process.env.CI),
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    screenshot: 'only-on-failure',
    // Each test is a first visit, and has no use for what a second one would need: `embed.spec.ts` lets it be kept.
    serviceWorkers: 'block',
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: existsSync(SHELL) ? SHELL : (process.env.CHROME ?? '/usr/bin/chromium'),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
    trace: 'off',
  },
});
