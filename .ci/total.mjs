// Adds up vitest's result files and prints `N passed, N failed`. A missing file counts as a failure.
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const path of process.argv.slice(2)) {
  try {
    const result = JSON.parse(readFileSync(path, 'utf8'));
    passed += result.numPassedTests;
    // A file that does not even load has no tests to fail.
    failed += result.numFailedTests;
    failed += result.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length;
    if (result.numTotalTests === 0) failed += 1;
  } catch (error) {
    console.error(`no test results in ${path}: ${error.message}`);
    failed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
