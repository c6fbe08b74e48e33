// Where a connection is, on the page and in the API, and what it is made of.

import { all, get } from "./api.js";
import { NO_ROLE_YET } from "./form.js";

export const link = (name, rest = "") => `#/connections/${encodeURIComponent(name)}${rest}`;
export const at = (name, rest = "") => `/connections/${encodeURIComponent(name)}${rest}`;

/** As new connections would use it; nothing, where its plugin is not active any more. */
export const connectorOf = async (connection, signal) => (await all("/connectors", { signal })).find((one) => one.id === connection.type);

/** As this connection uses it, in the version that it is pinned to; nothing, where that cannot run. */
export async function pinnedConnector(connection, signal) {
  try {
    return await get(at(connection.name, "/connector"), { signal });
  } catch (error) {
    if (error.status === 409) return undefined;
    throw error;
  }
}

/** Whether its role is still to come. */
export const reserves = (connection) => Object.values(connection.config).includes(NO_ROLE_YET);
