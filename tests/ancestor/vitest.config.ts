import path from "node:path";

export default {
  resolve: { alias: { "@shared": path.resolve(__dirname, "shared") } },
  test: { include: ["tests/*.spec.ts", "server/__tests__/*.test.ts"], fileParallelism: false },
};
