"""A Cognito user pool of those who may speak, for whoever has no issuer of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infrastructure.names import SYSTEM, acknowledge

if TYPE_CHECKING:
    from infrastructure.settings import StageSettings

__all__ = ["SpeakerPool"]

_SCOPE = "speak"

# An access token is checked when a connection is made, which then lasts two hours at most.
_ACCESS_TOKEN_MINUTES = 60
_REFRESH_TOKEN_HOURS = 12


class SpeakerPool(Construct):
    """The pool, its sign-in page, and the page's client; `variables` tell the functions of them.

    An administrator makes the users, and each of them may speak: nobody signs up. The client is a
    page, which can keep no secret: it signs in by an authorization code with PKCE and nothing else.
    Cognito asks a client without a secret for PKCE only if it offers a challenge; the page does.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: StageSettings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        pool = self._pool()
        speak = cognito.ResourceServerScope(
            scope_name=_SCOPE, scope_description="Open a session and speak"
        )
        server = pool.add_resource_server(
            "Server", identifier=SYSTEM, user_pool_resource_server_name=SYSTEM, scopes=[speak]
        )
        pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(
                # Unique in the region, among all accounts.
                domain_prefix=f"{SYSTEM}-{settings.stage}-{cdk.Stack.of(self).account}"
            ),
        )
        client = self._client(pool, cognito.OAuthScope.resource_server(server, speak))
        stack = cdk.Stack.of(self)
        # Cognito's access tokens name their client as `client_id`, and have no `aud`:
        # https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
        self.variables = {
            "SPEAKER_ISSUER": f"https://cognito-idp.{stack.region}.{stack.url_suffix}/{pool.user_pool_id}",
            "SPEAKER_AUDIENCE": client.user_pool_client_id,
            "SPEAKER_SCOPE": f"{SYSTEM}/{_SCOPE}",
        }

    def _pool(self) -> cognito.UserPool:
        is_production = self._settings.stage == "prod"
        pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=f"{SYSTEM}-{self._settings.stage}-speakers",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=cdk.Duration.days(3),
            ),
            # An app on a phone: text messages cost money and can be redirected.
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            deletion_protection=is_production,
            # People have set passwords and phones up here: that is not to go with a stack.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        acknowledge(
            pool,
            "COG8",
            "The Plus plan is paid by the user, and adds adaptive sign-in; nobody signs up here, and"
            " each sign-in needs a second factor",
        )
        if key := self._settings.encryption_key_arn:
            resource = pool.node.default_child
            assert isinstance(resource, cognito.CfnUserPool)  # noqa: S101 - for the type checker
            resource.key_configuration = cognito.CfnUserPool.KeyConfigurationProperty(
                key_type="CUSTOMER_MANAGED_KEY", kms_key_arn=key
            )
        return pool

    def _client(self, pool: cognito.UserPool, scope: cognito.OAuthScope) -> cognito.UserPoolClient:
        urls = self._settings.callback_urls
        client = pool.add_client(
            "Page",
            generate_secret=False,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            access_token_validity=cdk.Duration.minutes(_ACCESS_TOKEN_MINUTES),
            id_token_validity=cdk.Duration.minutes(_ACCESS_TOKEN_MINUTES),
            refresh_token_validity=cdk.Duration.hours(_REFRESH_TOKEN_HOURS),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, scope],
                callback_urls=urls,
                logout_urls=urls,
            ),
        )
        resource = client.node.default_child
        assert isinstance(resource, cognito.CfnUserPoolClient)  # noqa: S101 - for the type checker
        # Left out, it would mean three more ways in, past the sign-in page:
        # https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
        resource.explicit_auth_flows = ["ALLOW_REFRESH_TOKEN_AUTH"]
        return client
