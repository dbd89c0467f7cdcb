"""The pool lets in whom an administrator has added, by its own sign-in page, with two factors."""

import pytest

from .test_authorizer import warnings_of
from .test_functions import flat, function_of

POOL_KINDS = ("UserPool", "UserPoolClient", "UserPoolDomain", "UserPoolResourceServer")


@pytest.fixture
def pool(pooled):
    [pool] = pooled.resources("Cognito::UserPool").values()
    return pool


@pytest.fixture
def client(pooled):
    [client] = pooled.properties("Cognito::UserPoolClient")
    return client


def test_foreign_issuer_makes_no_pool(guarded):
    assert [guarded.resources(f"Cognito::{kind}") for kind in POOL_KINDS] == [{}] * 4


@pytest.mark.threat("own-account")
def test_nobody_signs_up(pool):
    assert pool["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


@pytest.mark.threat("own-account")
def test_sign_in_takes_a_password_and_an_app(pool):
    properties = pool["Properties"]

    assert properties["MfaConfiguration"] == "ON"
    assert properties["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert properties["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 12,
        "RequireLowercase": True,
        "RequireUppercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "TemporaryPasswordValidityDays": 3,
    }


def test_pool_outlives_the_stack_and_is_protected_in_production(pool, encrypted):
    [other] = encrypted.properties("Cognito::UserPool")

    assert pool["DeletionPolicy"] == pool["UpdateReplacePolicy"] == "Retain"
    assert pool["Properties"]["DeletionProtection"] == "ACTIVE"
    assert other["DeletionProtection"] == "INACTIVE"


def test_sign_in_page_has_an_address_of_stage_and_account(pooled):
    [domain] = pooled.properties("Cognito::UserPoolDomain")

    assert flat(domain["Domain"]) == "websocket-audio-prod-<AWS::AccountId>"


def test_client_is_a_page_without_a_secret_and_gets_codes_alone(client):
    assert client["GenerateSecret"] is False
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["SupportedIdentityProviders"] == ["COGNITO"]
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_sign_in_leads_back_to_where_pages_may_connect_from(client):
    assert client["CallbackURLs"] == ["https://a.example/", "http://localhost:8000/"]


@pytest.mark.threat("stolen-access-token")
def test_access_token_lasts_an_hour(client):
    assert (client["AccessTokenValidity"], client["TokenValidityUnits"]["AccessToken"]) == (
        60,
        "minutes",
    )


def test_scope_for_speaking_is_declared_and_given_to_the_client(pooled, client):
    [(name, server)] = pooled.resources("Cognito::UserPoolResourceServer").items()

    assert server["Properties"]["Identifier"] == "websocket-audio"
    assert [row["ScopeName"] for row in server["Properties"]["Scopes"]] == ["speak"]
    assert [flat(scope) for scope in client["AllowedOAuthScopes"]] == ["openid", f"<{name}>/speak"]


@pytest.mark.parametrize("module", ["authorizer", "session"])
def test_functions_take_the_pools_tokens(pooled, module):
    """Cognito's access tokens have no `aud`, but name their client."""
    [pool] = pooled.resources("Cognito::UserPool")
    [client] = pooled.resources("Cognito::UserPoolClient")
    variables = function_of(pooled, module)["Environment"]["Variables"]

    assert flat(variables["SPEAKER_ISSUER"]) == (
        f"https://cognito-idp.<AWS::Region>.<AWS::URLSuffix>/<{pool}>"
    )
    assert variables["SPEAKER_AUDIENCE"] == {"Ref": client}
    assert variables["SPEAKER_SCOPE"] == "websocket-audio/speak"


def test_outputs_have_what_a_page_signs_in_with(pooled):
    outputs = {name: flat(row["Value"]) for name, row in pooled.template["Outputs"].items()}
    [client] = pooled.resources("Cognito::UserPoolClient")
    variables = function_of(pooled, "session")["Environment"]["Variables"]

    assert outputs["SpeakerIssuer"] == flat(variables["SPEAKER_ISSUER"])
    assert outputs["SpeakerClientId"] == f"<{client}>"
    assert outputs["SpeakerScope"] == "websocket-audio/speak"
    assert warnings_of(pooled) == []
