// Try it out fills in the examples of parameters. These depend on the user: the examples would be refused.
const userSpecific = ["IdempotencyKey", "TenantID", "UserID"];

window.addEventListener("load", async () => {
  const url = "/api/v1/openapi.json";
  const contract = await (await fetch(url)).json();
  for (const name of userSpecific) {
    delete contract.components.parameters[name].example;
  }
  SwaggerUIBundle({
    spec: contract,
    url,
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    tryItOutEnabled: true,
  });
});
