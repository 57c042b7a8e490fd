namespace slipstream {}
