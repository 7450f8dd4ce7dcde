// Cachewarden in Node, with the package clients/node (docs/clients.md):
//
//   const orders = await cache.remember(`orders:${id}`, { ttl: 600, models: ["Order"] }, () => readOrders(id));
//   await cache.clearModel("Order"); // after a write
//
// The key: cachewarden key create shop-entries --scope entries --namespace shop

import { Cachewarden } from "cachewarden";

export const cache = new Cachewarden({ url: process.env.CACHEWARDEN_URL, apiKey: process.env.CACHEWARDEN_KEY });
