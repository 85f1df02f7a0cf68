import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'mysql',
  schema: ['./src/db/schema.ts', './src/db/schema-books.ts'],
  out: './drizzle',
});
