"""The paper's reproduction: experiments, figures and tables, as the workflow runs them."""
