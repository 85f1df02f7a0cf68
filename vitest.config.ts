import { defineConfig } from 'vitest/config';

// Where CI wants the results as JSON.
const outputFile = process.env.TEST_RESULTS;

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/servers.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    reporters: outputFile ? ['default', ['json', { outputFile }]] : ['default'],
  },
});
